#!/bin/sh
# SPDX-License-Identifier: MIT
# symbols.sh BUILD_DIR - hold the built objects to the rules of the names:
#   1. a layer's objects call only what layers it may see define (src/LAYERS):
#      catches the extern declared by hand that tools/layers.awk cannot see
#   2. libmayfly.so exports exactly the functions include/mayfly/ declares
#   3. libmayfly.a defines only mf_ and mfi_ names
# Prints what is wrong, nothing when all is well.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${1:?usage: symbols.sh BUILD_DIR}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
for library in "$build/src/libmayfly.so" "$build/src/libmayfly.a"; do
    [ -e "$library" ] || { echo "no $library"; exit 1; }
done

# Lines "layer def|use name" of all layers.
for folder in "$build"/src/*/; do
    layer=$(basename "$folder")
    objects=$(find "$folder" -name '*.o')
    [ -n "$objects" ] || continue
    # shellcheck disable=SC2086 # a list of paths made above, without blanks
    nm $objects | awk -v layer="$layer" '
        $NF !~ /^mfi?_/ { next }
        $(NF - 1) == "U" { print layer, "use", $NF; next }
        $(NF - 1) ~ /^[A-Z]$/ { print layer, "def", $NF }' >> "$work/names"
done
[ -s "$work/names" ] || { echo "no objects in $build/src"; exit 1; }

awk '
    FILENAME ~ /LAYERS$/ {
        sub(/#.*/, "")
        if (NF == 0)
            next
        sub(/:$/, "", $1)
        sees[$1, $1] = 1
        for (i = 2; i <= NF; i++)
            for (key in sees) {
                split(key, pair, SUBSEP)
                if (pair[1] == $i)
                    sees[$1, pair[2]] = 1
            }
        next
    }
    $2 == "def" { home[$3] = $1 }
    $2 == "use" { uses[$1 " " $3] = 1 }
    END {
        for (use in uses) {
            split(use, w, " ")
            if (!(w[2] in home))
                bad = say("src/" w[1] " uses " w[2] ", which nobody defines")
            else if (!((w[1], home[w[2]]) in sees))
                bad = say("src/" w[1] " uses " w[2] " of src/" home[w[2]])
        }
        exit bad
    }
    function say(text) { print text; return 1 }
' "$root/src/LAYERS" "$work/names" || bad=1

# What the headers declare, as the compiler understands them.
printf '#include <mayfly.h>\n' > "$work/all.c"
gcc -std=gnu11 -I"$root/include" -fsyntax-only -aux-info "$work/declared" \
    "$work/all.c"
sed -n 's/^.*include\/mayfly\/.*extern [^(]*[ *]\(mf_[a-z0-9_]*\) (.*/\1/p' \
    "$work/declared" | sort -u > "$work/api"
nm -D --defined-only "$build/src/libmayfly.so" |
    awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u > "$work/exports"
comm -23 "$work/api" "$work/exports" | sed 's/^/not exported: /' > "$work/diff"
comm -13 "$work/api" "$work/exports" |
    sed 's/^/exported, not in a public header: /' >> "$work/diff"
[ -s "$work/api" ] || echo "found no declaration in include/" >> "$work/diff"
nm -g --defined-only "$build/src/libmayfly.a" 2>/dev/null |
    awk 'NF == 3 && $3 !~ /^(mfi?_|DW[.]ref[.])/ { print "in libmayfly.a: " $3 }' \
    >> "$work/diff"
if [ -s "$work/diff" ]; then
    cat "$work/diff"
    bad=1
fi
exit "$bad"
