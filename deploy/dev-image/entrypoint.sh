#!/bin/bash
# Starts Elasticsearch in the development image that `cargo xtask es image`
# builds, with the settings that the official image takes from its environment.
set -euo pipefail

cd /usr/share/elasticsearch
export ES_TMPDIR=/usr/share/elasticsearch/tmp

# A variable with a dot in its name is a setting. Bash cannot read such a
# variable, so that the list comes from env(1), separated by NUL.
settings=()
while IFS= read -r -d '' variable; do
  name=${variable%%=*}
  case $name in
    *.*) settings+=("-E$variable") ;;
  esac
done < <(env -0)

if [ -n "${ELASTIC_PASSWORD:-}" ] && [ ! -f config/elasticsearch.keystore ]; then
  printf '%s' "$ELASTIC_PASSWORD" |
    ES_JAVA_OPTS='' bin/elasticsearch-keystore add --stdin --force bootstrap.password
fi
unset ELASTIC_PASSWORD

exec bin/elasticsearch "${settings[@]}" "$@"
