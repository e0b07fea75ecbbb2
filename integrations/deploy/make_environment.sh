#!/bin/sh
# Make an environment for MONAI Deploy's App SDK with monai_anomaly in it.
#
#   integrations/deploy/make_environment.sh DIR [REQUIREMENT...]
#
# The words are those of ../new_environment.sh.
#
# It has to be an environment of its own: beside the SDK every `import monai` imports `monai.deploy`, and Holoscan with it.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
. "$here/../new_environment.sh"

install --requirement "$here/requirements.txt" "$@"
"$python" -W ignore -c 'import monai.deploy.core, monai.deploy.operators, monai_anomaly' >/dev/null
echo "MONAI Deploy's App SDK $("$python" -c 'from importlib.metadata import version; print(version("monai-deploy-app-sdk"))') is in $directory"
