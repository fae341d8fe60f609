"""Runs the Python code of a README, block after block as one program, against a mesh.

Arguments: the README, the mesh's port base, name of a fitted pipeline (in place of pipelines/ID).
"""

import pathlib
import re
import sys

readme, port_base, pipeline = sys.argv[1:]
text = pathlib.Path(readme).read_text(encoding="utf-8").replace("pipelines/ID", pipeline)
text = re.sub(r"127\.0\.0\.1:8(\d{3})", lambda port: f"127.0.0.1:{int(port_base) + int(port[1])}", text)
program = {}
for number, block in enumerate(re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE), 1):
    exec(compile(block, f"block {number} of {readme}", "exec"), program)
    print(f"block {number} ran")
