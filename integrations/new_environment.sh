# Sourced by the scripts make_environment.sh beside it, with their arguments, DIR [REQUIREMENT...].
#
# DIR is a folder that does not exist yet. REQUIREMENT is what pip shall install as monai_anomaly: a wheel or a name;
# without one, it is the checkout that this script lies in (`--editable CHECKOUT` follows its changes). PYTHON names the
# interpreter (python3). pip's own settings, such as PIP_INDEX_URL, hold.
#
# It leaves a new environment in $directory, its interpreter in $python, and the requirements in "$@".
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
