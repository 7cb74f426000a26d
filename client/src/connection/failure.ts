/**
 * Makes the error for a half that has failed. Each call that fails gets an error of its own. It is made only when needed,
 * since that takes 20 µs and a Connection that ends normally needs none.
 */
export type Failure = () => Error;
