/**
 * Why half of a Connection is over. The error is made for each who is told of it: to make one takes 20 µs, and when a
 * Connection ends well, nobody is.
 */
export type Failure = () => Error;
