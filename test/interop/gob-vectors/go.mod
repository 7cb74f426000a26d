module gob-vectors

go 1.20
