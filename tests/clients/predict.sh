#!/bin/sh
# One picture, with curl.    sh predict.sh http://127.0.0.1:8080 digit.png
set -eu
curl --silent --show-error --fail-with-body --form "file=@$2" "$1/predict"
