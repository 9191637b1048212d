_base_ = '../db_loss/erm_resnet50-pfc_8e_coco-mlt.py'

# Classes are told apart by one-hot vectors; with GloVe's, say
# word_vectors='data/glove.6B.300d.txt'.
model = dict(head=dict(type='mmlt.GCNHead'))
