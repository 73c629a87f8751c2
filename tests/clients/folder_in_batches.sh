#!/bin/sh
# As folder_to_csv.sh, but a hundred pictures a request, for folders of thousands; curl, jq, xargs.
#     sh folder_in_batches.sh http://127.0.0.1:8080 pictures > digits.csv
# A third argument is how many go into one request: fewer, where a hundred are more than ten megabytes.
set -eu
echo "file,digit,confidence,accepted,problem"
# The loop makes each name of "$@" an argument for curl; in parentheses, so that jq still has the names.
printf '%s\0' "$2"/* | xargs -0 -n "${3:-100}" sh -c '
  url=$0
  (for file do set -- "$@" --form "file=@\"$file\""; shift; done
   curl --silent --show-error "$@" "$url/predict/batch") |
    jq --raw-output "if .predictions then . else error(.detail) end
      | [\$ARGS.positional, .predictions] | transpose[]
      | [(.[0] | sub(\".*/\"; \"\")), (.[1] | .digit, .confidence, .accepted, .error.title)] | @csv" --args "$@"
' "$1"
