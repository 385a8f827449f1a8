#!/usr/bin/env bash
# Starts LiteLLM's proxy, with its filter of contents on every answer, on $HOST:$PORT before the model
# at $TARGET. `make clients` installs it.
set -euo pipefail
config=$(mktemp --suffix=.yaml)
cat >"$config" <<END
model_list:
  - {model_name: m, litellm_params: {model: openai/m, api_base: "$TARGET/v1", api_key: sk-of-nobody}}
guardrails:
  - guardrail_name: cards
    litellm_params:
      guardrail: litellm_content_filter
      mode: post_call
      default_on: true
      patterns: [{pattern_type: prebuilt, pattern_name: credit_card, action: BLOCK}]
litellm_settings: {request_timeout: 60}
END
export LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY=true # callers send no key
export LITELLM_LOCAL_MODEL_COST_MAP=True LITELLM_LOG=ERROR NO_PROXY=127.0.0.1
exec "$(dirname "$0")/../sdk/py/litellm/venv/bin/litellm" --config "$config" --host "$HOST" --port "$PORT" --telemetry False
