import { openGuard } from 'la-ood/browser';

const status = document.getElementById('status');
const input = document.getElementById('image');
try {
  // public/guarded.onnx: any model that la-ood guard wrote.
  const guard = await openGuard(new URL('guarded.onnx', document.baseURI));
  status.textContent = `Runs on ${guard.runtime.name}, ${guard.runtime.milliseconds.toFixed(1)} ms an image`;
  input.disabled = false;
  input.addEventListener('change', async () => {
    const [file] = input.files;
    const answer = await guard.score(file).catch((error) => ({ error: error.message }));
    document.getElementById('answer').textContent = JSON.stringify(answer, null, 2);
  });
} catch (error) {
  status.textContent = error.message;
}
