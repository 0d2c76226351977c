#!/bin/bash -eu
# The same build as for OSS-Fuzz.
exec "$SRC/bridgehead/fuzz/oss-fuzz/build.sh"
