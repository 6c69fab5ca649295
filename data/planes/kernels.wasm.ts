/** kernels.wat in binary form, as base64; made by test/data/assemble-kernels.ts. */
export const kernels =
  'AGFzbQEAAAABCAFgBH9/f38AAwIBAAUDAQABBxcCBm1lbW9yeQIACmludGVybGVhdmUAAAqtAgGqAgIBfwN7IAAgAmohBANAIAD9AAQAIQUgACABav0ABAAhBiAAIAFBAXRq/QAEACEHIAMgBf0MAP//Af//Av//A///BP//Bf0OIAb9DP8A//8B//8C//8D//8E///9Dv1QIAf9DP//AP//Af//Av//A///BP/9Dv1Q/QsEACADIAX9DP//Bv//B///CP//Cf//Cv/9DiAG/QwF//8G//8H//8I//8J//8K/Q79UCAH/Qz/Bf//Bv//B///CP//Cf///Q79UP0LBBAgAyAF/Qz/C///DP//Df//Dv//D////Q4gBv0M//8L//8M//8N//8O//8P//0O/VAgB/0MCv//C///DP//Df//Dv//D/0O/VD9CwQgIABBEGohACADQTBqIQMgACAESQ0ACws=';
