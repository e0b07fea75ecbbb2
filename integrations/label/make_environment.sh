#!/bin/sh
# Make an environment for MONAI Label with monai_anomaly in it.
#
#   integrations/label/make_environment.sh DIR [REQUIREMENT...]
#
# The words are those of ../new_environment.sh.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
. "$here/../new_environment.sh"

install --requirement "$here/requirements.txt" "$@"
# Their own requirements hold NumPy below 2 and jsonschema below 4, which nothing here needs.
install --no-deps monailabel==0.8.5 pydicom-seg==0.4.1

# pydicom 3 has no module of this name any more, and pydicom-seg asks for it.
site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
cp "$here/storage_sopclass_uids.py" "$site/pydicom/_storage_sopclass_uids.py"

"$python" -W ignore -c 'import monai_anomaly, monailabel.app' >/dev/null
echo "MONAI Label $("$python" -c 'from importlib.metadata import version; print(version("monailabel"))') is in $directory"
