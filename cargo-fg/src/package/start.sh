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
program=${self%/*}/$program
# The platform may not have kept the mode bits of the ZIP (?).
[ -x "$program" ] || chmod u+x "$program"
# Replace this shell, so that the program receives the signals.
exec "$program" "$@"
