"""Print the fields of ECS that a list of field sets has: name, type, whether it is an array, allowed values.

    git clone https://github.com/elastic/ecs && git -C ecs checkout v9.4.0
    python3 ecs.py ecs/generated/ecs/ecs_flat.yml 9.4.0 > ecs-9.4.0.tsv
"""
import sys, yaml

sets = ["@timestamp", "message", "tags", "labels", "ecs", "event", "observer", "rule", "gen_ai", "user", "source", "http", "threat", "url", "trace", "service", "related"]
print("# Made by internal/format/testdata/ecs.py from github.com/elastic/ecs v%s, Copyright Elasticsearch B.V., Apache License 2.0." % sys.argv[2])
print("# Changed: other field sets and all texts are left out.")
for name, f in sorted(yaml.safe_load(open(sys.argv[1])).items()):
    if name.split(".")[0] in sets:
        if name.count(".") > 2:
            continue
        allowed = ",".join(v["name"] for v in f.get("allowed_values", []))
        print("\t".join([name, f["type"], "array" if "array" in f.get("normalize", []) else "", allowed]))
