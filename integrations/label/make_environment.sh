#!/bin/sh
# Make an environment for MONAI Label with monai_anomaly in it.
#
#   integrations/label/make_environment.sh DIR [REQUIREMENT...]
#
# DIR is a folder that does not exist yet. REQUIREMENT is what pip shall install as monai_anomaly: a wheel or a name;
# without one, it is the checkout that this script lies in (`--editable CHECKOUT` follows its changes). PYTHON names the
# interpreter (python3). pip's own settings, such as PIP_INDEX_URL, hold.
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
install() { "$python" -m pip install --quiet --disable-pip-version-check "$@"; }

install --requirement "$here/requirements.txt" "$@"
# Their own requirements hold NumPy below 2 and jsonschema below 4, which nothing here needs.
install --no-deps monailabel==0.8.5 pydicom-seg==0.4.1

# pydicom 3 has no module of this name any more, and pydicom-seg asks for it.
site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
cp "$here/storage_sopclass_uids.py" "$site/pydicom/_storage_sopclass_uids.py"

"$python" -W ignore -c 'import monai_anomaly, monailabel.app' >/dev/null
echo "MONAI Label $("$python" -c 'from importlib.metadata import version; print(version("monailabel"))') is in $directory"
