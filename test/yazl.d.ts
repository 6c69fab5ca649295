/** The part of yazl that the tests use; it comes without types. */
declare module 'yazl' {
  export class ZipFile {
    readonly outputStream: NodeJS.ReadableStream;
    addBuffer(bytes: Buffer, name: string, options: { compress: boolean; mtime: Date }): void;
    end(): void;
  }
}
