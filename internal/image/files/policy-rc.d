#!/bin/sh
# Services on a node belong to its supervisor; packages start none.
exit 101
