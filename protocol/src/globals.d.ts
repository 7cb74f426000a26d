// The only globals beyond the language that this package uses. Node, browsers and workerd all have them. They are declared
// here so that the compiler allows nothing else.

interface TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, bytes: Uint8Array): { read: number; written: number };
}
declare const TextEncoder: new () => TextEncoder;

interface TextDecoder {
  decode(bytes: Uint8Array): string;
}
declare const TextDecoder: new (label: string, options: { fatal: boolean; ignoreBOM: boolean }) => TextDecoder;

declare function atob(text: string): string;
declare function btoa(text: string): string;
