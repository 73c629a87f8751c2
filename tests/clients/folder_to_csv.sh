#!/bin/sh
# A folder of pictures to CSV, with curl and jq.    sh folder_to_csv.sh http://127.0.0.1:8080 pictures > digits.csv
# A picture that has no answer gets a line with the reason instead.
set -eu
echo "file,digit,confidence,accepted,problem"
for file in "$2"/*; do
  curl --silent --show-error --form "file=@\"$file\"" "$1/predict" |
    jq --raw-output --arg file "${file##*/}" '[$file, .digit, .confidence, .accepted, .title] | @csv'
done
