# Edits of a trained classifier, which train nothing.
posthoc = dict(
    type='mmlt.ClassifierEditHook',
    edits=[dict(type='mmlt.LogitAdjustment', tau=1.0)],
)
posthoc_boxes = dict(
    type='mmlt.ClassifierEditHook',
    edits=[dict(type='mmlt.LogitAdjustment', tau=1.0, by='instance')],
)
tau_norm = dict(
    type='mmlt.ClassifierEditHook', edits=[dict(type='mmlt.TauNorm', tau=1.0)]
)
norcal = dict(
    type='mmlt.ClassifierEditHook', edits=[dict(type='mmlt.NorCal', gamma=0.6)]
)
fracal = dict(type='mmlt.ClassifierEditHook', edits=[dict(type='mmlt.FRACAL')])
