#!/bin/sh
# The demo; see README.md here. ONCE=1 goes through its story and ends.
exec python3 "$(dirname "$0")/demo.py" "$@"
