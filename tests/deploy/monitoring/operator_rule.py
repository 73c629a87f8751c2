"""The rules as the Prometheus operator wants them: the same groups inside a PrometheusRule.

rules.yaml -> prometheus-rule.yaml; `python -m tests.deploy.monitoring.operator_rule` writes it
"""

from tests.deploy.rendering import DEPLOY

COMPONENT = DEPLOY / "components" / "prometheus-operator"
RULES = COMPONENT / "rules.yaml"
OPERATOR_RULE = COMPONENT / "prometheus-rule.yaml"

HEAD = """\
# Made from rules.yaml by `python -m tests.deploy.monitoring.operator_rule`; change that one.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: digits
  labels:
    app.kubernetes.io/name: digits
    app.kubernetes.io/component: monitoring
    app.kubernetes.io/part-of: digits
spec:
"""


def operator_rule() -> str:
    """Return the text of prometheus-rule.yaml."""
    lines = RULES.read_text().splitlines()
    body = lines[lines.index("groups:") :]
    return HEAD + "".join(f"  {line}".rstrip() + "\n" for line in body)


if __name__ == "__main__":
    OPERATOR_RULE.write_text(operator_rule())
