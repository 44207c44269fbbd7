#!/bin/sh
# Prints a secret from the cache: secret.sh NAME

address=${FG_SECRETS_ADDRESS:-127.0.0.1:2773}
token=${FG_SECRETS_TOKEN:-$(cat "${FG_SECRETS_TOKEN_FILE:-/tmp/fg-secrets-cache.token}")}

# The token is in the input of curl, since other processes can see its arguments.
echo "X-Secrets-Token: $token" |
    curl --silent --show-error --fail-with-body --noproxy '*' --header @- "http://$address/secrets/$1"
