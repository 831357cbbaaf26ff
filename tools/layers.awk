# SPDX-License-Identifier: MIT
# layers.awk - hold the includes of src/ to src/LAYERS.
#
#   awk -f tools/layers.awk src/LAYERS src/*/*.[chS]
#
# A quoted include names its layer: #include "os/futex.h". It must be the
# file's own layer or one that the policy lets it see. Exits 1 with file:line
# for each that is not.

FILENAME ~ /LAYERS$/ {
    sub(/#.*/, "")
    if (NF > 0)
        define_layer()
    next
}

FNR == 1 {
    n = split(FILENAME, part, "/")
    for (i = 1; i < n && part[i] != "src"; i++)
        ;
    self = part[i + 1]
    if (!(self in known))
        complain("the layer " self " is not in src/LAYERS")
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, quoted, "\"")
    n = split(quoted[2], part, "/")
    if (n < 2)
        complain("write \"layer/file.h\", not \"" quoted[2] "\"")
    else if (!((self, part[1]) in sees))
        complain("src/" self " may not include " quoted[2])
}

END { exit bad }

# $1 is "name:", the rest are layers defined above: it sees all they see.
function define_layer(    name, i, key, pair)
{
    name = $1
    if (!sub(/:$/, "", name))
        complain("write \"layer: lower layers\"")
    if (name in known)
        complain(name " is defined twice")
    for (i = 2; i <= NF; i++) {
        if (!($i in known))
            complain($i " is not defined above")
        for (key in sees) {
            split(key, pair, SUBSEP)
            if (pair[1] == $i)
                inherits[pair[2]] = 1
        }
    }
    for (key in inherits) {
        sees[name, key] = 1
        delete inherits[key]
    }
    known[name] = 1
    sees[name, name] = 1
}

function complain(text)
{
    print FILENAME ":" FNR ": " text
    bad = 1
}
