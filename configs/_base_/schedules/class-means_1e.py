# One pass over the training set, which sets the means of mmlt.NCMHead.
optim_wrapper = dict()
param_scheduler = None
train_cfg = dict(type='mmlt.ClassMeansLoop', max_epochs=1)
val_cfg = dict()
test_cfg = dict()
