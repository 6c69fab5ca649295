/** A module of its bytes in base64, in Node and in browsers, which have no Buffer. */
export function assembled(base64: string): WebAssembly.Module {
  return new WebAssembly.Module(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));
}
