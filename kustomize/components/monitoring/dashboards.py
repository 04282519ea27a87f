"""Write the Grafana dashboards beside this file: ``python kustomize/components/monitoring/dashboards.py``."""

from pathlib import Path

from grafana_foundation_sdk.builders.common import VizLegendOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, Row
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.timeseries import Panel as Timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef

FOLDER = Path(__file__).parent / "dashboards"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

Query = tuple[str, str]
"""PromQL, and the legend of its series."""


def _lines(title: str, unit: str, *queries: Query, span: int = 12) -> Timeseries:
    legend = VizLegendOptions().show_legend(True).placement(LegendPlacement.BOTTOM)
    panel = Timeseries().title(title).unit(unit).span(span).height(8).datasource(SOURCE).min(0)
    panel = panel.legend(legend.display_mode(LegendDisplayMode.LIST))
    for query in _targets(queries):
        panel = panel.with_target(query)
    return panel


def _figure(title: str, unit: str, expression: str, span: int = 6) -> Stat:
    panel = Stat().title(title).unit(unit).span(span).height(4).datasource(SOURCE)
    return panel.with_target(_targets([(expression, "")])[0])


def _targets(queries: "list[Query] | tuple[Query, ...]") -> list[Dataquery]:
    return [
        Dataquery().expr(expression).legend_format(legend).ref_id(chr(ord("A") + place)).datasource(SOURCE)
        for place, (expression, legend) in enumerate(queries)
    ]


def _dashboard(name: str, title: str) -> Dashboard:
    board = Dashboard(f"Llama Mapper: {title}").uid(f"llama-mapper-{name}").tags(["llama-mapper"])
    source = DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    return board.refresh("30s").time("now-6h", "now").timezone("utc").with_variable(source).editable()


def _percentile(share: float, metric: str, by: str, where: str = "") -> str:
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket{{{where}}}[5m])))"


def service() -> Dashboard:
    errors = 'sum by (service) (rate(llama_mapper_requests_total{status=~"5.."}[5m]))'
    requests = "sum by (service) (rate(llama_mapper_requests_total[5m]))"
    budget = "1 - llama_mapper:orchestrate_%s:ratio_rate3d / %s"
    return (
        _dashboard("service", "service")
        .with_panel(
            _figure("Error budget left, at the pace of 3 days", "percentunit", budget % ("errors", "0.005"), 12)
        )
        .with_panel(_figure("Latency budget left, at the pace of 3 days", "percentunit", budget % ("slow", "0.05"), 12))
        .with_row(Row("Requests"))
        .with_panel(_lines("Requests", "reqps", (requests, "{{service}}")))
        .with_panel(_lines("Share of 5xx", "percentunit", (f"{errors} / {requests}", "{{service}}")))
        .with_panel(
            _lines(
                "Time to answer, p50 and p95",
                "s",
                (_percentile(0.5, "llama_mapper_request_seconds", "service"), "{{service}} p50"),
                (_percentile(0.95, "llama_mapper_request_seconds", "service"), "{{service}} p95"),
            )
        )
        .with_panel(_lines("Fallbacks", "ops", ("sum by (name) (rate(llama_mapper_fallbacks_total[5m]))", "{{name}}")))
        .with_row(Row("Events"))
        .with_panel(
            _lines(
                "Events by outcome",
                "ops",
                ("sum by (type, outcome) (rate(llama_mapper_events_total[5m]))", "{{type}} {{outcome}}"),
                span=24,
            )
        )
    )


def business() -> Dashboard:
    decisions = "sum by (action) (rate(llama_mapper_decisions_total[5m]))"
    mappings = "sum by (method) (rate(llama_mapper_mappings_total[5m]))"
    calls = "sum by (detector, status) (rate(llama_mapper_detector_seconds_count[5m]))"
    return (
        _dashboard("business", "business")
        .with_panel(_figure("Decisions today", "short", "sum(increase(llama_mapper_decisions_total[24h]))"))
        .with_panel(
            _figure("Blocked today", "short", 'sum(increase(llama_mapper_decisions_total{action="block"}[24h]))')
        )
        .with_panel(_figure("Labels mapped today", "short", "sum(increase(llama_mapper_mappings_total[24h]))"))
        .with_panel(
            _figure(
                "Share mapped by the model today",
                "percentunit",
                'sum(increase(llama_mapper_mappings_total{method="model"}[24h])) '
                "/ sum(increase(llama_mapper_mappings_total[24h]))",
            )
        )
        .with_panel(_lines("Decisions", "ops", (decisions, "{{action}}")))
        .with_panel(_lines("Labels by the path that mapped them", "ops", (mappings, "{{method}}")))
        .with_panel(_lines("Detector calls", "ops", (calls, "{{detector}} {{status}}")))
        .with_panel(
            _lines(
                "Detectors, p95",
                "s",
                (_percentile(0.95, "llama_mapper_detector_seconds", "detector"), "{{detector}}"),
            )
        )
    )


def infrastructure() -> Dashboard:
    pods = 'namespace="llama-mapper",container!=""'
    return (
        _dashboard("infrastructure", "infrastructure")
        .with_panel(_lines("Replicas that run", "short", ("count by (service) (llama_mapper_up)", "{{service}}")))
        .with_panel(
            _lines(
                "CPU",
                "none",
                (f"sum by (pod) (rate(container_cpu_usage_seconds_total{{{pods}}}[5m]))", "{{pod}}"),
            )
        )
        .with_panel(
            _lines("Memory", "bytes", (f"sum by (pod) (container_memory_working_set_bytes{{{pods}}})", "{{pod}}"))
        )
        .with_panel(
            _lines(
                "Restarts in an hour",
                "short",
                (
                    'sum by (pod) (increase(kube_pod_container_status_restarts_total{namespace="llama-mapper"}[1h]))',
                    "{{pod}}",
                ),
            )
        )
        .with_row(Row("vLLM"))
        .with_panel(
            _lines(
                "Requests running and waiting",
                "short",
                ("sum(vllm:num_requests_running)", "running"),
                ("sum(vllm:num_requests_waiting)", "waiting"),
            )
        )
        .with_panel(
            _lines(
                "Time to first token, p95",
                "s",
                (_percentile(0.95, "vllm:time_to_first_token_seconds", "pod"), "{{pod}}"),
            )
        )
    )


def cost() -> Dashboard:
    spent = "sum by ({by}) (increase(llama_mapper_model_cost_microdollars_total[{time}])) / 1e6"
    return (
        _dashboard("cost", "cost")
        .with_panel(_figure("Spent today", "currencyUSD", spent.format(by="", time="24h"), 12))
        .with_panel(_figure("Spent in 30 days", "currencyUSD", spent.format(by="", time="30d"), 12))
        .with_panel(
            _lines("Dollars an hour by tenant", "currencyUSD", (spent.format(by="tenant", time="1h"), "{{tenant}}"))
        )
        .with_panel(
            _lines("Dollars an hour by adapter", "currencyUSD", (spent.format(by="adapter", time="1h"), "{{adapter}}"))
        )
        .with_panel(
            _lines(
                "Tokens",
                "ops",
                ("sum by (adapter, kind) (rate(llama_mapper_model_tokens_total[5m]))", "{{adapter}} {{kind}}"),
            )
        )
        .with_panel(
            _lines(
                "Share of the time that the model is busy",
                "percentunit",
                ("sum by (adapter) (rate(llama_mapper_model_compute_seconds_total[5m]))", "{{adapter}}"),
            )
        )
        .with_panel(
            _lines(
                "Budget thresholds passed in a day",
                "short",
                (
                    "sum by (tenant, threshold) (increase(llama_mapper_budget_alerts_total[24h]))",
                    "{{tenant}} {{threshold}} %",
                ),
                span=24,
            )
        )
    )


DASHBOARDS = {"service": service, "business": business, "infrastructure": infrastructure, "cost": cost}


def rendered(name: str) -> str:
    return JSONEncoder(sort_keys=True, indent=2).encode(DASHBOARDS[name]().build()) + "\n"


def main() -> None:
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(rendered(name), "utf-8")


if __name__ == "__main__":
    main()
