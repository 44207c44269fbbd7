#!/bin/sh
# Starts the program next to this script. The directory that the ZIP is unpacked to and the working directory are
# unknown (?).
program=<program>
case $0 in
    /*) self=$0 ;;
    *) self=./$0 ;;
esac
# Follow symbolic links to this script.
while [ -h "$self" ]; do
    link=$(readlink "$self")
    case $link in
        /*) self=$link ;;
        *) self=${self%/*}/$link ;;
    esac
done
directory=${self%/*}
# The platform may not have kept the mode bits of the ZIP, and the files may belong to another user (?).
if ! [ -x "$directory/$program" ] && ! chmod u+x "$directory/$program" 2>/dev/null; then
    # Run a copy. The program may look for the other files next to itself.
    from=$(cd "$directory/" && pwd)
    # The copy of an earlier start is replaced. If the directory belongs to another user, it cannot be removed, and is not used.
    copy=/tmp/extension.${0##*/}
    rm -rf "$copy" 2>/dev/null
    { mkdir -m 700 "$copy" 2>/dev/null || copy=$(mktemp -d /tmp/extension.XXXXXX); } &&
        ln -s "$from"/* "$copy" &&
        rm "$copy/$program" &&
        cp "$from/$program" "$copy/$program" &&
        chmod u+x "$copy/$program" &&
        directory=$copy
fi
# Replace this shell, so that the program receives the signals.
exec "$directory/$program" "$@"
