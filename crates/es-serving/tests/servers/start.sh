#!/bin/sh
# Starts a model server with the model of model.py, for tests/it/conformance.rs:
#
#     tests/servers/start.sh mlserver|kserve|triton|mlflow FOLDER PORT
#
# FOLDER gets a virtual environment for each server, with the pinned packages of requirements-NAME.txt, and the
# model. The server runs in the foreground until it is interrupted. The tests find it by the variable that is
# printed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
name=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
port=$3
python=${PYTHON:-python3}
# The Python backend of Triton is linked to the library of Debian's own interpreter.
if [ "$name" = triton ]; then python=/usr/bin/python3; fi

environment="$folder/$name"
stamp="$environment/requirements.txt"
if ! cmp -s "$here/requirements-$name.txt" "$stamp"; then
    [ -x "$environment/bin/python" ] || "$python" -m venv "$environment"
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements-$name.txt"
    cp "$here/requirements-$name.txt" "$stamp"
fi
PATH="$environment/bin:$PATH"
export PATH

variable=$(echo "$name" | tr '[:lower:]' '[:upper:]')
echo "SERVING_TEST_${variable}_URL=http://127.0.0.1:$port"
case $name in
mlserver)
    python "$here/model.py" mlserver "$folder/mlserver-model" "$port"
    exec mlserver start "$folder/mlserver-model"
    ;;
mlflow)
    [ -d "$folder/mlflow-model" ] || python "$here/model.py" mlflow "$folder/mlflow-model" "$port"
    exec mlflow models serve --env-manager local --host 127.0.0.1 --port "$port" -m "$folder/mlflow-model"
    ;;
kserve) exec python "$here/kserve_server.py" "$port" ;;
triton) exec python "$here/triton_server.py" "$port" ;;
*)
    echo "unknown server $name: mlserver, kserve, triton and mlflow are known" >&2
    exit 2
    ;;
esac
