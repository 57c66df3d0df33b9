"""Every environment variable that the deployment files give the bot is a setting, and what they rely on holds."""

import json
import pathlib
import re
import sys

import yaml

settings = {}
for line in pathlib.Path(sys.argv[1]).read_text().splitlines():
    setting = json.loads(line)
    settings[setting["name"]] = setting["secret"]
OTHERS = {"MALLOC_ARENA_MAX"}


def check(where, names):
    for name in names:
        of_file = name.removesuffix("_FILE")
        known = name in settings or name in OTHERS or (of_file != name and settings.get(of_file))
        assert known, f"{where}: {name} is no setting"


compose = yaml.safe_load(pathlib.Path("deploy/compose.yaml").read_text())
bot = compose["services"]["bot"]
check("compose.yaml", bot["environment"])
given = {value.removeprefix("/run/secrets/") for name, value in bot["environment"].items() if name.endswith("_FILE")}
assert given == set(bot["secrets"]) <= set(compose["secrets"]), "secrets that are given and secrets that are read differ"
assert bot["read_only"] and bot["cap_drop"] == ["ALL"] and not bot.get("ports"), "the bot is reached through the proxy alone"
assert compose["networks"]["inside"]["internal"] and compose["services"]["database"]["networks"] == ["inside"]

dockerfile = pathlib.Path("deploy/Dockerfile").read_text().replace("\\\n", " ")
check("Dockerfile", re.findall(r"([A-Z_]+)=", re.search(r"^ENV (.*)$", dockerfile, re.M).group(1)))
rust = re.search(r'rust-version = "([\d.]+)"', pathlib.Path("Cargo.toml").read_text()).group(1)
assert f"FROM rust:{rust}-" in dockerfile, "the image is built with another Rust than Cargo.toml names"

unit = pathlib.Path("deploy/chatsheet.service").read_text()
check("chatsheet.service", re.findall(r"^Environment=([A-Z_]+)=", unit, re.M))

version = re.search(r'^version = "([\d.]+)"', pathlib.Path("Cargo.toml").read_text(), re.M).group(1)
chart = yaml.safe_load(pathlib.Path("deploy/helm/chatsheet/Chart.yaml").read_text())
assert chart["appVersion"] == version, "the chart installs another version"
for path in sys.argv[2:]:
    documents = [d for d in yaml.safe_load_all(pathlib.Path(path).read_text()) if d]
    kinds = {d["kind"] for d in documents}
    pod = next(d for d in documents if d["kind"] == "Deployment")["spec"]["template"]["spec"]
    container = pod["containers"][0]
    check(path, [variable["name"] for variable in container["env"]])
    assert container["securityContext"]["readOnlyRootFilesystem"] and pod["securityContext"]["runAsNonRoot"]
    volumes, mounts = {v["name"] for v in pod["volumes"]}, {m["name"] for m in container["volumeMounts"]}
    assert volumes == mounts, f"{volumes} are there, {mounts} are used"
    claim = any("persistentVolumeClaim" in v for v in pod["volumes"])
    assert claim == ("PersistentVolumeClaim" in kinds), "the volume that is used and the one that is made differ"
assert {"Ingress", "PodDisruptionBudget", "PodMonitor"} <= kinds
