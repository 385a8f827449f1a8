"""Print the part of an OCSF schema that a list of event classes and objects needs, resolved.

    git clone https://github.com/ocsf/ocsf-schema
    python3 ocsf.py ocsf-schema v1.8.0 > ocsf-1.8.0.json
"""
import json, os, subprocess, sys

root = sys.argv[1]
classes = ["base_event", "data_security_finding", "detection_finding", "application_lifecycle"]
objects = ["metadata", "product", "finding_info", "analytic", "data_security", "policy", "resource_details",
           "actor", "user", "evidences", "network_endpoint", "attack", "tactic", "technique", "unmapped", "object", "group",
           "data_classification", "application", "feature"]

def load(name):
    if len(sys.argv) > 2:
        return json.loads(subprocess.check_output(["git", "-C", root, "show", sys.argv[2] + ":" + name]))
    return json.load(open(os.path.join(root, name)))

def files(folder):
    if len(sys.argv) > 2:
        out = subprocess.check_output(["git", "-C", root, "ls-tree", "-r", "--name-only", sys.argv[2], folder + "/"]).decode().split()
    else:
        out = [os.path.join(d, f)[len(root) + 1:] for d, _, fs in os.walk(os.path.join(root, folder)) for f in fs]
    return [f for f in out if f.endswith(".json")]

dictionary = load("dictionary.json")
raw = {kind: {} for kind in ("events", "objects")}
for kind in raw:
    for f in files(kind):
        d = load(f)
        raw[kind][d.get("name") or os.path.basename(f)[:-5]] = d
categories = load("categories.json")["attributes"]

def attributes(d):
    all = dict(d.get("attributes", {}))
    include = all.pop("$include", [])
    for name in [include] if isinstance(include, str) else include:
        p = load(name)
        for k, v in p.get("attributes", {}).items():
            if k != "$include":
                v = dict(v); v.setdefault("profile", p.get("name") if p.get("meta") == "profile" else None)
                merged = dict(v); merged.update(all.get(k, {})); all[k] = merged
    return all

def resolve(kind, name):
    d = raw[kind][name]
    base = resolve(kind, d["extends"]) if d.get("extends") in raw[kind] else {"attributes": {}, "constraints": {}, "profiles": []}
    attrs = {k: dict(v) for k, v in base["attributes"].items()}
    for k, v in attributes(d).items():
        old = attrs.get(k, {})
        enum = {**old.get("enum", {}), **v.get("enum", {})}
        attrs[k] = {**old, **v}
        if enum:
            attrs[k]["enum"] = enum
    return {"attributes": attrs, "constraints": d.get("constraints", base["constraints"]), "uid": d.get("uid"),
            "category": d.get("category", base.get("category")), "profiles": sorted(set(base["profiles"]) | set(d.get("profiles", [])))}

def trim(kind, name):
    r = resolve(kind, name)
    out = {"attributes": {}}
    for k, v in sorted(r["attributes"].items()):
        t = dictionary["attributes"].get(k, {})
        enum = {**t.get("enum", {}), **v.get("enum", {})} if "enum" in t or "enum" in v else None
        a = {"type": v.get("type", t.get("type"))}
        if v.get("requirement") == "required":
            a["required"] = True
        if t.get("is_array") or v.get("is_array"):
            a["array"] = True
        if v.get("profile"):
            a["profile"] = v["profile"]
        if enum and k not in ("class_uid", "category_uid"):  # those of a class are its own
            a["enum"] = sorted(enum)
        out["attributes"][k] = a
    if r["constraints"]:
        out["constraints"] = r["constraints"]
    if kind == "events":
        out["profiles"] = r["profiles"]
        category = categories.get(r["category"], {}).get("uid", 0)
        out["category_uid"] = category
        out["class_uid"] = category * 1000 + (r["uid"] or 0) if name != "base_event" else 0
    return out

types = {k: {x: v[x] for x in ("type", "regex", "range", "max_len", "values") if x in v} for k, v in dictionary["types"]["attributes"].items()}
json.dump({
    "note": "Made by internal/format/testdata/ocsf.py from github.com/ocsf/ocsf-schema, Copyright OCSF, a Series of LF Projects, LLC, Apache License 2.0. Changed: inheritance is resolved, and texts, other classes and other objects are left out.",
    "version": load("version.json")["version"],
    "types": types,
    "classes": {c: trim("events", c) for c in classes},
    "objects": {o: trim("objects", o) for o in objects if o in raw["objects"]},
}, sys.stdout, indent=1, sort_keys=True)
print()
