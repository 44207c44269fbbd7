#!/bin/sh
# Starts the program next to this script.
program=<program>
case $0 in
    /*) self=$0 ;;
    *) self=./$0 ;;
esac
# Follow links to this script.
while [ -h "$self" ]; do
    link=$(readlink "$self")
    case $link in
        /*) self=$link ;;
        *) self=${self%/*}/$link ;;
    esac
done
directory=${self%/*}
# If the mode bits are lost and cannot be set, run a copy (?).
if ! [ -x "$directory/$program" ] && ! chmod u+x "$directory/$program" 2>/dev/null; then
    from=$(cd "$directory/" && pwd)
    # Replace the last copy, unless it belongs to another user.
    copy=/tmp/extension.${0##*/}
    rm -rf "$copy" 2>/dev/null
    { mkdir -m 700 "$copy" 2>/dev/null || copy=$(mktemp -d /tmp/extension.XXXXXX); } &&
        ln -s "$from"/* "$copy" &&
        rm "$copy/$program" &&
        cp "$from/$program" "$copy/$program" &&
        chmod u+x "$copy/$program" &&
        directory=$copy
fi
# The program receives the signals of this shell.
exec "$directory/$program" "$@"
