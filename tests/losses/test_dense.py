import torch

from rmlr_lightning.losses.dense import DenseSupervision


def maps(batch=2):
    return [torch.randn(batch, 16, 8, 12), torch.randn(batch, 16, 4, 6)]


BOXES = [
    torch.tensor([[0.1, 0.1, 0.5, 0.6], [0.4, 0.3, 0.9, 0.9]]),
    torch.tensor([[0.2, 0.2, 0.7, 0.7]]),
]
LABELS = [torch.tensor([0, 2]), torch.tensor([1])]


def test_assignment_gives_cells_inside_the_box_the_right_class():
    torch.manual_seed(0)
    dense = DenseSupervision(16, 3, cells=4)
    logits, predicted, centres = dense._predict(maps())
    true = torch.nn.utils.rnn.pad_sequence(BOXES, batch_first=True)
    classes = torch.nn.utils.rnn.pad_sequence(LABELS, batch_first=True)
    real = torch.tensor([[True, True], [True, False]])
    goal, weight, owner = dense._assign(logits, predicted, centres, true, classes, real)
    for image, boxes in enumerate(BOXES):
        cells = torch.nonzero(weight[image]).flatten()
        assert 0 < len(cells) <= 4 * len(boxes)
        for cell in cells:
            box = boxes[owner[image, cell]]
            assert ((centres[cell] > box[:2]) & (centres[cell] < box[2:])).all()
            assert goal[image, cell].argmax() == LABELS[image][owner[image, cell]]
            assert goal[image, cell].count_nonzero() == 1
    assert ((goal.amax(-1) > 0) == (weight > 0)).all()


def test_training_the_heads_lowers_the_loss():
    torch.manual_seed(0)
    dense, features = DenseSupervision(16, 3), maps()
    optimizer = torch.optim.Adam(dense.parameters(), 0.02)
    first = dense(features, BOXES, LABELS)
    for _ in range(60):
        loss = dense(features, BOXES, LABELS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.6 * first


def test_images_without_objects_give_a_finite_loss():
    dense = DenseSupervision(16, 3)
    nothing = [torch.zeros(0, 4), torch.zeros(0, 4)]
    loss = dense(maps(), [BOXES[0], nothing[0]], [LABELS[0], torch.zeros(0, dtype=torch.long)])
    assert torch.isfinite(loss)
    assert torch.isfinite(dense(maps(), nothing, [torch.zeros(0, dtype=torch.long)] * 2))
