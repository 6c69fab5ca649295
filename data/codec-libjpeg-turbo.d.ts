/** What we use of libjpeg-turbo compiled to WebAssembly (the package has no types). */
declare module '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs' {
  export interface JpegDecoder {
    /** Memory for the file's bytes. */
    getEncodedBuffer(length: number): Uint8Array;
    /** @throws a number where the file is damaged, if only a little, or is no 8-bit grey or colour JPEG */
    decode(): void;
    getFrameInfo(): { width: number; height: number; componentCount: number };
    /** The decoder's own memory, until the next file. */
    getDecodedBuffer(): Uint8Array;
  }

  export default function load(settings: {
    wasmBinary: Uint8Array;
    print(text: string): void;
    printErr(text: string): void;
  }): Promise<{ JPEGDecoder: new () => JpegDecoder }>;
}
