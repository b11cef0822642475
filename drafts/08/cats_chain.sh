#!/bin/sh
# The rest of the cats of 08, in the worktree /tmp/w/n08chain (branch n08chain); about 4 hours of two quiet cores.
# Each command goes on from build/latent_cats where it was stopped (a state every 30 s).
cd /tmp/w/n08chain || exit 1
PY=python
$PY -m helpers.engine.studies.latent_cats vae:2400 --stage 3 && \
$PY -m helpers.engine.studies.latent_cats denoiser:6000 && \
$PY -m helpers.engine.studies.latent_cats prior:4800 && \
$PY -m helpers.engine.results latent_judged --minutes 60 --workers 1
