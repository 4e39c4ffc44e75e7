import torch

from rmlr_lightning.losses.dense import DenseSupervision, _pad


def maps(batch=2):
    return [torch.randn(batch, 16, 8, 12), torch.randn(batch, 16, 4, 6)]


BOXES = [
    torch.tensor([[0.1, 0.1, 0.5, 0.6], [0.4, 0.3, 0.9, 0.9]]),
    torch.tensor([[0.2, 0.2, 0.7, 0.7]]),
]
LABELS = [torch.tensor([0, 2]), torch.tensor([1])]


def test_cells_inside_a_box_learn_its_class():
    torch.manual_seed(0)
    dense = DenseSupervision(16, 3, cells=4)
    predictions = dense._predict(maps())
    class_targets, box_weights, object_index = dense._assign(predictions, _pad(BOXES, LABELS))
    for image, boxes in enumerate(BOXES):
        cells = torch.nonzero(box_weights[image]).flatten()
        assert 0 < len(cells) <= 4 * len(boxes)
        for cell in cells:
            box = boxes[object_index[image, cell]]
            centre = predictions.centres[cell]
            assert ((centre > box[:2]) & (centre < box[2:])).all()
            label = LABELS[image][object_index[image, cell]]
            assert class_targets[image, cell].argmax() == label
            assert class_targets[image, cell].count_nonzero() == 1
    assert ((class_targets.amax(-1) > 0) == (box_weights > 0)).all()


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
    no_boxes, no_labels = torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)
    loss = dense(maps(), [BOXES[0], no_boxes], [LABELS[0], no_labels])
    assert torch.isfinite(loss)
    assert torch.isfinite(dense(maps(), [no_boxes] * 2, [no_labels] * 2))
