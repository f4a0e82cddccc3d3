import torch

from ssl_asr.transducer.targets import passed_nodes


def test_a_node_is_passed_where_blank_and_label_together_are_more_than_rounding():
    blanks = torch.tensor([[[0.5, 0.0, 1e-9], [0.0, 8e-8, 1.0]]])
    labels = torch.tensor([[[0.5, 1e-8, 0.0], [2e-7, 8e-8, 0.0]]])
    assert passed_nodes(blanks, labels).tolist() == [0, 3, 4, 5]
    assert passed_nodes(blanks.double(), labels.double()).tolist() == [0, 1, 2, 3, 4, 5]


def test_what_is_no_number_is_not_left_out():
    blanks = torch.tensor([[[torch.nan, 0.0]]])
    assert passed_nodes(blanks, torch.zeros(1, 1, 2)).tolist() == [0]
