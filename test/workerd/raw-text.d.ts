/** A file's text. For vectors with a key "__proto__", which is none once JSON is compiled to JavaScript. */
declare module "*?raw" {
  const text: string;
  export default text;
}
