"""The columns of a report: title -> key in metrics.json, without the split."""

METRICS = {
    "full": "map_full",
    "rare": "map_rare",
    "non-rare": "map_non_rare",
    "unseen": "map_unseen",
    "seen": "map_seen",
    "harmonic": "map_harmonic",
    "twins": "twin_accuracy",
    "scenario 1": "role_ap_s1",
    "scenario 2": "role_ap_s2",
}
COSTS = {"fit min": "fit_seconds", "CPU min": "cpu_seconds"}  # shown in minutes
# of --out
FILES = ("report.html", "report.md", "report.png", "runs.csv", "rows.csv", "comparisons.csv")
DRAWS = 1000  # of the bootstrap over test images
PROJECT = "rmlr_lightning"  # of conf/logger/wandb.yaml
