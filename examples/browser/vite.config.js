import { defineConfig } from 'vite';

export default defineConfig({
  // Served from any folder.
  base: './',
  build: { target: 'es2023', assetsInlineLimit: 0 },
  // Bundled beforehand, onnxruntime-web would not find its WebAssembly.
  optimizeDeps: { exclude: ['onnxruntime-web', 'la-ood'] },
});
