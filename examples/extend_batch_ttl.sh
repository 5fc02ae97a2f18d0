#!/bin/sh
# Keep a replication batch alive while a long dump runs.
#
#   extend_batch_ttl.sh URL BATCH_ID [TTL_SECONDS] [PID]
#
# Renews the batch at a third of its TTL (default 600 s) until the process PID ends, or for ever
# without one. Exits with 1 when the batch is gone. Credentials: CURL_USER=root:password.
set -eu

url=${1:?"usage: extend_batch_ttl.sh URL BATCH_ID [TTL_SECONDS] [PID]"}
batch=${2:?"the id of the batch, as POST /_api/replication/batch told it"}
ttl=${3:-600}
pid=${4:-}

while [ -z "$pid" ] || kill -0 "$pid" 2>/dev/null; do
    status=$(curl -s -o /dev/null -w '%{http_code}' ${CURL_USER:+-u "$CURL_USER"} \
        -X PUT "$url/_api/replication/batch/$batch" -d "{\"ttl\": $ttl}")
    if [ "$status" != 204 ]; then
        echo "batch $batch is gone (HTTP $status)" >&2
        exit 1
    fi
    echo "batch $batch lives for another $ttl s"
    # a third of the TTL, in short naps so that the end of PID is noticed soon
    naps=$((ttl / 3))
    while [ "$naps" -gt 0 ] && { [ -z "$pid" ] || kill -0 "$pid" 2>/dev/null; }; do
        sleep 1
        naps=$((naps - 1))
    done
    [ "$ttl" -ge 3 ] || sleep 1
done
echo "process $pid has ended"
