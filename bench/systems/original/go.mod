module original

go 1.23

require github.com/gburgessiv/mp v0.0.0-20150711035958-b22e3b4711df
