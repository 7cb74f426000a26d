const digitsOf = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Writes bytes as hexadecimal digits, two for each byte. Each open has a session to write, so nothing is made for a byte. */
export function toHex(bytes: Uint8Array): string {
  let digits = "";
  for (const byte of bytes) digits += digitsOf[byte];
  return digits;
}

/** Reads bytes from hexadecimal digits, two for each byte. */
export function fromHex(digits: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(digits.length / 2);
  for (let at = 0; at < bytes.length; at++) bytes[at] = (valueAt(digits, 2 * at) << 4) | valueAt(digits, 2 * at + 1);
  return bytes;
}

/** The value of the digit at a place: 0 to 9, a to f or A to F. */
function valueAt(digits: string, at: number): number {
  const code = digits.charCodeAt(at);
  return code <= 57 ? code - 48 : (code | 32) - 87;
}
