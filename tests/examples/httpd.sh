#!/bin/bash
# SPDX-License-Identifier: MIT
# httpd.sh PROGRAM - files, values, ranges, conditions, and nothing else.
set -u
command -v curl > /dev/null || { echo "skipped: curl is not here"; exit 0; }
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2> /dev/null; rm -rf "$work"' EXIT
mkdir -p "$work/www/dir"
echo secret > "$work/secret"
echo hidden > "$work/www/.hidden"
ln -s ../secret "$work/www/link"
printf '<p>index' > "$work/www/index.html"
printf '<p>dir' > "$work/www/dir/index.html"
seq 1 100000 > "$work/www/numbers.txt"
touch -d '1994-11-06 08:49:37 UTC' "$work/www/numbers.txt"
for _ in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 10000))
    "$1" "$work/www" "127.0.0.1:$port" > "$work/log" &
    server=$!
    url=http://127.0.0.1:$port
    curl -s --noproxy '*' --retry 20 --retry-connrefused --retry-delay 0 \
        --retry-max-time 5 "$url/" > /dev/null &&
        kill -0 "$server" 2> /dev/null && break
    server=
done
[ -n "$server" ] || { echo "did not start"; exit 1; }

get() { curl -sS --noproxy '*' --max-time 10 "$@"; }
code() { get -o /dev/null -w '%{http_code}' "$@"; }
is() { # what got want
    [ "$2" = "$3" ] || { echo "$1: got \"$2\", not \"$3\""; exit 1; }
}
is index "$(get "$url/")" "<p>index"
is moved "$(get -L "$url/dir")" "<p>dir"
get -o "$work/whole" "$url/numbers.txt"
cmp "$work/whole" "$work/www/numbers.txt" || exit 1
get -r 0-99999 -o "$work/part" "$url/numbers.txt"
get -C - -o "$work/part" "$url/numbers.txt"
cmp "$work/part" "$work/www/numbers.txt" || exit 1
is range "$(get -r 0-3 "$url/numbers.txt" | tr '\n' .)" "1.2."
is parts "$(get -r 0-0,2-2 -o /dev/null -w '%{http_code} %{content_type}' \
    "$url/numbers.txt" | cut -d ';' -f 1)" "206 multipart/byteranges"
is 416 "$(code -r 9999999- "$url/numbers.txt")" 416
is 304 "$(code -z 'Sun, 06 Nov 1994 08:49:37 GMT' "$url/numbers.txt")" 304
is 412 "$(code -H 'If-Match: "x"' "$url/numbers.txt")" 412
is hidden "$(code "$url/.hidden")" 404
is link "$(code "$url/link")" 404
is up "$(code --path-as-is "$url/../secret")" 404
is escaped "$(code --path-as-is "$url/%2e%2e/secret")" 404
is slash "$(code --path-as-is "$url/dir/..%2f..%2fsecret")" 404
is delete "$(code -X DELETE "$url/numbers.txt")" 405

is put "$(get -X PUT -d '[1,2]' "$url/api/values/a")" true
is get "$(get "$url/api/values/a")" "[1,2]"
is none "$(code "$url/api/values/b")" 404
is chunked "$(echo '{}' | get -T - "$url/api/values/c")" true
is get "$(get "$url/api/values/c")" "{}"
is expect "$(get -X PUT -H 'Expect: 100-continue' -d 7 "$url/api/values/d")" \
    true
head -c 2000000 /dev/zero > "$work/big"
is big "$(code -T "$work/big" "$url/api/values/e")" 413

for _ in $(seq 50); do # its line comes within a second
    grep -q '"GET /numbers.txt HTTP/1.1" 206' "$work/log" && break
    sleep 0.1
done
grep -q '^127.0.0.1 - - \[.*"GET /numbers.txt HTTP/1.1" 206' "$work/log" ||
    { echo "no line in the log"; cat "$work/log"; exit 1; }
