#!/bin/sh
# All digits of one picture, line by line, with curl and jq.    sh read.sh http://127.0.0.1:8080 page.png
set -eu
answer=$(curl --silent --show-error --fail-with-body --form "file=@$2" "$1/read") || {
  printf "%s\n" "$answer" >&2
  exit 1
}
printf "%s" "$answer" | jq --raw-output .text
