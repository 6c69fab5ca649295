# To be sourced: real weights and images are used where ../shared lies beside the clone.
if [ -z "${LA_OOD_REFERENCE:-}" ] && [ -d ../shared/checkpoints ]; then
  LA_OOD_REFERENCE="$(cd ../shared && pwd)"
  export LA_OOD_REFERENCE
fi
echo "reference data: ${LA_OOD_REFERENCE:-none; tests of real weights and images are left out}"
