#!/bin/sh
# Starts the program that lies beside this script, wherever they were unpacked to (?), from whatever folder (?).
program=<program>
case $0 in
    /*) self=$0 ;;
    *) self=./$0 ;;
esac
# This may be called by a symbolic link, which leads to other links.
while [ -h "$self" ]; do
    link=$(readlink "$self")
    case $link in
        /*) self=$link ;;
        *) self=${self%/*}/$link ;;
    esac
done
program=${self%/*}/$program
# Whether the ZIP's mode bits were kept, nobody can tell (?).
[ -x "$program" ] || chmod u+x "$program"
# In the place of this shell, so that signals arrive.
exec "$program" "$@"
