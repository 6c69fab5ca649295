# To be sourced: the Python environment of the parity tests, made in .venv or where LA_OOD_VENV says, and once more when
# what it holds changes. pip keeps what it fetched, so that the next clone's is made without the network.
venv="${LA_OOD_VENV:-.venv}"
packages=(torch==2.13.0 scikit-learn scipy h5py lmdb pyarrow onnx onnxruntime onnxscript 'pillow>=13' safetensors transformers)
# Taken as they are: what they depend on would bring another PyTorch.
alone=(torchvision timm pytorch-ood==0.4.0 onnxslim)
if [ ! -x "$venv/bin/python" ]; then python3 -m venv "$venv"; fi
if [ "$(cat "$venv/packages" 2>/dev/null)" != "${packages[*]} ${alone[*]}" ]; then
  "$venv/bin/pip" install --quiet "${packages[@]}"
  "$venv/bin/pip" install --quiet --no-deps "${alone[@]}"
  echo "${packages[*]} ${alone[*]}" >"$venv/packages"
fi
LA_OOD_PYTHON="$(cd "$venv/bin" && pwd)/python"
export LA_OOD_PYTHON
