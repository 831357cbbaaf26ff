#!/bin/bash
# SPDX-License-Identifier: MIT
# general_io.sh PROGRAM - lines come back while the clock ticks: over pipes,
# from files, and in a terminal as a user would: Ctrl-Z, fg, Ctrl-C, Ctrl-D.
set -u
program=$1
work=$(mktemp -d)
socket=mayfly-general-io-$$
trap 'tmux -L "$socket" kill-server 2> /dev/null; rm -rf "$work"' EXIT

die() {
    echo "$*"
    exit 1
}

pause() {
    read -r -t 0.05 <> <(:)
}

# ---- files, nothing, closed -------------------------------------------------

printf 'one\r\n\ntwo' > "$work/in"
said=$("$program" 10 < "$work/in") || die "file: status $?"
[ "$said" = "$(printf 'ONE\n\nTWO\n3 lines')" ] || die "file: $said"
"$program" 10 < "$work/in" > "$work/out" || die "to a file: status $?"
[ "$(cat "$work/out")" = "$said" ] || die "to a file: $(cat "$work/out")"
[ "$("$program" 10 < /dev/null)" = "0 lines" ] || die "/dev/null"
"$program" 10 < "$work/in" > /dev/null || die "to /dev/null: status $?"
"$program" 10 <&- > "$work/out" 2> "$work/err" && die "closed input"
grep -qi "bad file" "$work/err" || die "closed input: $(cat "$work/err")"
"$program" 10 < "$work/in" >&- 2> "$work/err" && die "closed output"
grep -qi "bad file" "$work/err" || die "closed output: $(cat "$work/err")"

# Its reader is gone: an error, no signal (141).
("$program" 10 < "$work/in" 2> "$work/err"; echo $? > "$work/rc") | :
for ((i = 0; i < 200; i++)); do
    [ -s "$work/rc" ] && break
    pause
done
[ "$(cat "$work/rc")" -le 1 ] || die "broken pipe: status $(cat "$work/rc")"

# ---- pipes: the clock ticks between the lines -------------------------------

mkfifo "$work/in.fifo" "$work/out.fifo"
"$program" 0.02 < "$work/in.fifo" > "$work/out.fifo" &
pid=$!
exec 4> "$work/in.fifo" 5< "$work/out.fifo"
for word in alpha beta; do
    for _ in 1 2; do
        read -r -t 20 line <&5 || die "pipe: no tick"
        [[ $line == *" s" ]] || die "pipe: \"$line\" is no tick"
    done
    printf '%s\n' "$word" >&4
    while read -r -t 20 line <&5 && [[ $line == *" s" ]]; do :; done
    [ "$line" = "${word^^}" ] || die "pipe: \"$line\", not ${word^^}"
done
exec 4>&-
while read -r -t 20 line <&5 && [[ $line == *" s" ]]; do :; done
[ "$line" = "2 lines" ] || die "pipe: last is \"$line\""
wait "$pid" || die "pipe: status $?"
exec 5<&-

# ---- a terminal -------------------------------------------------------------

if ! command -v tmux > /dev/null 2>&1; then
    echo "skipped: no tmux, so no run in a terminal"
    exit 0
fi

keys() {
    tmux -L "$socket" send-keys -t 0 "$@"
}

# Until a line of the screen is of this pattern.
sees() { # pattern
    local i
    for ((i = 0; i < 400; i++)); do
        tmux -L "$socket" capture-pane -p -t 0 -S -500 > "$work/screen"
        grep -Eq "$1" "$work/screen" && return 0
        pause
    done
    cat "$work/screen"
    die "terminal: never saw $1"
}

# How often it has ticked, as far as the screen and what left it tell.
ticks() {
    tmux -L "$socket" capture-pane -p -t 0 -S -500 |
        grep -Ec '^[0-9.]+ s$'
}

# The program is in front once it has ticked once more than so often: typed
# before that, a line may be the shell's, or come while the terminal changes.
sees_more_than() { # ticks
    local i
    for ((i = 0; i < 400; i++)); do
        [ "$(ticks)" -gt "$1" ] && return 0
        pause
    done
    tmux -L "$socket" capture-pane -p -t 0
    die "terminal: no more ticks than $1"
}

# A command of the shell; $work/NAME is there when it is done.
shell() { # name command
    keys "$2; touch $work/$1" Enter
    local i
    for ((i = 0; i < 400; i++)); do
        [ -e "$work/$1" ] && return 0
        pause
    done
    tmux -L "$socket" capture-pane -p -t 0
    die "terminal: the shell never did $1"
}

env -u TMUX tmux -L "$socket" -f /dev/null new-session -d -x 100 -y 50 \
    "env PS1='ready> ' bash --norc --noprofile -i" || die "tmux: status $?"
sees '^ready>'
shell before "stty -a > $work/stty.before"
keys "$program 0.2" Enter
sees '^[0-9.]+ s$'
keys "hello there" Enter
sees '^HELLO THERE$'
keys C-z
sees 'Stopped'
shell stopped "stty -a > $work/stty.stopped"
before=$(ticks)
keys "fg" Enter
sees_more_than "$before"
keys "again" Enter
sees '^AGAIN$'
keys C-d
sees '^2 lines$'
shell middle "echo status \$?. > $work/status; stty -a > $work/stty.middle"
grep -q '^status 0\.$' "$work/status" || die "Ctrl-D: $(cat "$work/status")"
before=$(ticks)
keys "$program 0.2" Enter
sees_more_than "$before"
keys "third" Enter
sees '^THIRD$'
keys C-c
shell after "echo status \$?. > $work/status; stty -a > $work/stty.after"
grep -q '^status 130\.$' "$work/status" || die "Ctrl-C: $(cat "$work/status")"
keys "$program 0.2 &" Enter # it wants to read: it is stopped
shell job "until jobs | grep -q Stopped; do sleep 0.1; done; kill %1; wait"
for when in stopped middle after; do
    cmp "$work/stty.before" "$work/stty.$when" ||
        die "the terminal is not what it was: $when"
done
exit 0
