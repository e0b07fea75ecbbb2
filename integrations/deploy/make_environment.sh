#!/bin/sh
# Make an environment for MONAI Deploy's App SDK with monai_anomaly in it.
#
#   integrations/deploy/make_environment.sh DIR [REQUIREMENT...]
#
# DIR is a folder that does not exist yet. REQUIREMENT is what pip shall install as monai_anomaly: a wheel or a name;
# without one, it is the checkout that this script lies in (`--editable CHECKOUT` follows its changes). PYTHON names the
# interpreter (python3). pip's own settings, such as PIP_INDEX_URL, hold.
#
# It has to be an environment of its own: beside the SDK every `import monai` imports `monai.deploy`, and Holoscan with it.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
if [ $# -lt 1 ]; then
    echo "usage: $0 DIR [REQUIREMENT...]" >&2
    exit 2
fi
directory=$1
shift
if [ -e "$directory" ]; then
    echo "$0: $directory exists; name a folder that does not, or remove it." >&2
    exit 2
fi
[ $# -gt 0 ] || set -- "$here/../.."

"${PYTHON:-python3}" -m venv "$directory"
python=$directory/bin/python
"$python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt" "$@"
"$python" -W ignore -c 'import monai.deploy.core, monai.deploy.operators, monai_anomaly' >/dev/null
echo "MONAI Deploy's App SDK $("$python" -c 'from importlib.metadata import version; print(version("monai-deploy-app-sdk"))') is in $directory"
